"""What the data is before anything is learned: tables and pictures of training and validation images and labels."""
