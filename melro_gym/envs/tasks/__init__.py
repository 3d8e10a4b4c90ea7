"""The tables: tasks, numbers and joints of one domain in one file. Imports nothing heavy."""
