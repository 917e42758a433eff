"""What is wrong with an agent, in words: evidence of metrics and of a few episodes, held against rules."""
