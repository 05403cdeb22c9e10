"""Aliases of log formats, in the line of the section `requests`."""

ALIASES = r"""
B => \d+
CC => s1=v1
CS => s1=v1
H => .+
HM => POST
HP => /p/a;b
HPO => /p/a;b
HQ => \?x=1&y=22
HU => /p/a;b\?x=1&y=22
HV => HTTP/1.1
ID => the-id
OG => txn_close
ST => 200
T => .*\d\d:\d\d:\d\d .*
Ta => \d+
Tc => \d+
Td => \d+
Th => \d+
Ti => \d+
Tl => .*\d\d:\d\d:\d\d .*
Tq => \d+
TR => \d+
Tr => \d+
Ts => \d{10}
Tt => \d+
Tu => \d+
Tw => \d+
U => \d+
ac => 1
b => requests
bc => 0
bi => 127.0.0.1|-
bp => \d+|-
bq => 0
ci => 192.0.2.1
cp => 4321
f => requests
fc => 1
fi => 127.0.0.1
fp => \d+
ft => requests
hr => \{A.example:81\|caught\}
hrl => A.example:81 caught
hs => \{7\|caught\}
hsl => 7 caught
lc => .*
ms => \d{3}
pid => \d+
r => POST /p/a;b\?x=1&y=22 HTTP/1.1
rc => 0
rt => \d+
s => s1
sc => 0
si => 127.0.0.1|-
sp => \d+|-
sq => 0
sslc => -
sslv => -
t => .*\d\d:\d\d:\d\d.*
tr => .*\d\d:\d\d:\d\d.*
trg => .*\d\d:\d\d:\d\d .*
trl => .*\d\d:\d\d:\d\d .*
ts => --
tsc => ----
o =>
"""
