// The S3 server of rclone over a folder of this machine: the second kind of store that backups are tested with. Nothing
// else of rclone is in it.
package main

import (
	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/serve/s3"
)

func main() {
	cmd.Main()
}
