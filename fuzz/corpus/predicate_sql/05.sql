n <=> 3
"p" = 'EU'
LIKE '%'