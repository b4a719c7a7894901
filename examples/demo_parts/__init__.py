"""What `demo.py` is made of: the trainings, the pictures, the texts beside them, and the page."""
