"""What is known about people before any model: cohorts, instruments, taxa, lifestyle and their encoding."""
