// Package main is the first process of a local cluster's namespaces, and the
// pause program of its pods. It sleeps and reaps; it never starts a program.
//
//	init spawn HOSTNAME   make new namespaces, print the process id of their
//	                      first process as this machine sees it, and let it
//	                      live if a byte then comes on standard input
//	init volumes FOLDER   open every volume that is made in a folder to all users,
//	                      until killed
//	init                  sleep and reap until killed
//
// Everything of a cluster lives in the namespaces of that first process, so
// its death takes all of them along: no cluster can outlive it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "spawn" {
		spawn(os.Args[2])
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "volumes" {
		fail(openVolumes(os.Args[2]))
	}
	if len(os.Args) == 3 && os.Args[1] == "first" {
		if err := prepare(os.Args[2]); err != nil {
			fail(err)
		}
		ready := os.NewFile(3, "ready")
		_, _ = ready.Write([]byte{1})
		_ = ready.Close()
		waitUntilRecorded()
	}
	sleepAndReap()
}

func spawn(hostname string) {
	self, err := os.Executable()
	if err != nil {
		fail(err)
	}
	ready, toSayReady, err := os.Pipe()
	if err != nil {
		fail(err)
	}
	permitted, permit, err := os.Pipe()
	if err != nil {
		fail(err)
	}
	first := exec.Command(self, "first", hostname)
	first.Stderr = os.Stderr
	first.Dir = "/"
	first.ExtraFiles = []*os.File{toSayReady, permitted}
	first.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
	}
	if err := first.Start(); err != nil {
		fail(err)
	}
	_ = toSayReady.Close()
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		fail(fmt.Errorf("the first process died: %w", err))
	}
	fmt.Println(first.Process.Pid)
	// Without permission this process ends here, its end of the pipe closes, and so
	// the first process ends too.
	if count, err := os.Stdin.Read(make([]byte, 1)); count == 1 && err == nil {
		_, _ = permit.Write([]byte{1})
	}
}

// prepare cuts the mounts off from the machine's before anybody can mount
// anything, and then lets containers see what is mounted here later.
func prepare(hostname string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share the mounts within: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return syscall.Sethostname([]byte(hostname))
}

// waitUntilRecorded ends this process, and so the namespaces, when the program
// that asked for them dies before it has written down their process id: nobody
// would ever remove them.
func waitUntilRecorded() {
	permitted := os.NewFile(4, "permitted")
	if count, err := permitted.Read(make([]byte, 1)); count != 1 || err != nil {
		os.Exit(1)
	}
	_ = permitted.Close()
	// Whoever waits for the end of our starter's output must not wait for ours.
	if nowhere, err := os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
		_ = syscall.Dup3(int(nowhere.Fd()), 2, 0)
	}
}

func sleepAndReap() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT)
	for received := range signals {
		if received != syscall.SIGCHLD {
			os.Exit(0)
		}
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "init:", err)
	os.Exit(1)
}
