(`n` IS NOT NULL) and (x <> 2.5)
s = 'a b'