"""What people should hear of, how it is said, when a day is odd, and how a message comes to its channel."""
