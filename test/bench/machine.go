package main

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"cloudmirror/test/lab"
)

// describeMachine returns what the numbers depend on, as a table.
func describeMachine(ctx context.Context, l *laboratory) string {
	rows := append(lab.DescribeMachine(ctx, commandLine("go run ./test/bench", os.Args[1:])),
		[]string{"files", fmt.Sprintf("%s on %s", os.TempDir(), fileSystem(l.dir))},
		[]string{"wrk", lab.Version(ctx, "wrk", "-v")},
		[]string{"rclone", lab.Version(ctx, "rclone", "version")},
		[]string{"aws", lab.Version(ctx, "aws", "--version")},
		[]string{"curl", lab.Version(ctx, "curl", "--version")},
		[]string{"versitygw", lab.ModuleVersion("versitygw")},
	)
	return lab.Table([]string{"", ""}, rows)
}

// fileSystem names the kind of file system a directory is on.
func fileSystem(dir string) string {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return "an unknown file system"
	}
	switch stat.Type { // statfs(2)
	case 0xef53:
		return "ext4"
	case 0x58465342:
		return "XFS"
	case 0x9123683e:
		return "Btrfs"
	case 0x01021994:
		return "tmpfs, which is memory"
	}
	return fmt.Sprintf("file system %#x", stat.Type)
}
