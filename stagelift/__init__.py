"""What did each post-training stage add? TRL's trainers, measured after every stage.

The one name that is installed. Its packages lie at the top of the repository, and links here lead
to them.
"""
