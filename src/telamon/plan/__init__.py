"""The waist of the hourglass: what a program shall do, frozen and typed.

Front ends (`haproxy/`, `keepalived/`) make plans, the runtime carries them out; both know the
plan and neither knows the other. Durations are whole milliseconds unless a name says otherwise.
"""
