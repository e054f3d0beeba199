"""What a trained model looks at and where it is weak, from validation images alone."""
