"""The language of keepalived.conf: text, words, syntax tree, model, plan. Opens no socket."""
