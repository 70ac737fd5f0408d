"""What goes into a model beside the signals: by which parameter, of which type, and how it follows the samples."""
