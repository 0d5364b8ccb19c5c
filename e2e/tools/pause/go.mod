module keelson.dev/tools/pause

go 1.26
