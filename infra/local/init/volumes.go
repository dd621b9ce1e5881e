package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// openVolumes lets every user into each folder that appears in this one, now
// and later. The controller-manager makes its volumes for root alone, and the
// kubelet gives none of that kind to a pod's group, as it does with those of
// real drivers: a pod that does not run as root could not write to its volume.
func openVolumes(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	watch, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("watch %s: %w", folder, err)
	}
	if _, err := syscall.InotifyAddWatch(watch, folder, syscall.IN_CREATE); err != nil {
		return fmt.Errorf("watch %s: %w", folder, err)
	}
	// Those that were made while nobody watched.
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		openVolume(folder, entry.Name())
	}
	events := make([]byte, 64*1024)
	for {
		count, err := syscall.Read(watch, events)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("watch %s: %w", folder, err)
		}
		for at := 0; at+syscall.SizeofInotifyEvent <= count; {
			length := int(binary.NativeEndian.Uint32(events[at+12:]))
			at += syscall.SizeofInotifyEvent
			openVolume(folder, strings.TrimRight(string(events[at:at+length]), "\x00"))
			at += length
		}
	}
}

// openVolume may come too late: a volume that is gone again needs nothing.
func openVolume(folder, name string) {
	if err := os.Chmod(filepath.Join(folder, name), 0o777); err != nil && !os.IsNotExist(err) {
		fmt.Fprintln(os.Stderr, "init:", err)
	}
}
