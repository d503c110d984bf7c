"""How figures are made: the frame and sheet, specifications of figures, and their files."""
