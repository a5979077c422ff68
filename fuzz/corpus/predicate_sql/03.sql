5 > n
t < TIMESTAMP '2026-01-01 00:00:00'
b = true