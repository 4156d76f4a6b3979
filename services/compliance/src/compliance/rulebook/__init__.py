"""The rulebook: every code the rules can leave behind, with its article, its words in two languages and its cases."""
