"""What a recipe may say, and the recipes that come with stagelift."""
