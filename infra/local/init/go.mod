module ordinal.local/init

go 1.23
