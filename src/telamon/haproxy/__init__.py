"""The language of haproxy.cfg: text, words, syntax tree, model, plan. Opens no socket."""
