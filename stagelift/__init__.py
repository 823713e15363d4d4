"""What did each post-training stage add? SFT, DPO and GRPO with TRL, measured after every stage.

The one name that is installed. Its packages lie at the top of the repository, and links here lead
to them.
"""
