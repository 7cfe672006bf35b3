module breakable

go 1.24
