// Package main is one executable that is every program of a Kubernetes
// cluster: the first argument names the program. The programs share almost all
// of their code, so one link takes the time and the space of one of them.
//
// It adds nothing to the programs and takes nothing away: each one is started
// by the constructor that its own main package uses. One small program of our
// own is with them, `pki`, which makes an instance's keys and certificates.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata" // Job schedules name time zones, and a container image may have none.

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	program := filepath.Base(os.Args[0])
	if program == "kube" {
		if len(os.Args) < 2 {
			fmt.Fprintln(os.Stderr, "usage: kube PROGRAM [ARGUMENT...]")
			os.Exit(2)
		}
		program = os.Args[1]
		os.Args = os.Args[1:]
	}
	if program == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	if program == "pki" {
		if err := runPKI(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "kube pki:", err)
			os.Exit(1)
		}
		return
	}
	command := commandOf(program)
	if command == nil {
		fmt.Fprintf(os.Stderr, "kube: no program is called %q\n", program)
		os.Exit(2)
	}
	if program == "kubectl" {
		if err := cli.RunNoErrOutput(command); err != nil {
			kubectlutil.CheckErr(err)
		}
		return
	}
	os.Exit(cli.Run(command))
}

// commandOf builds only the command that is asked for, because building some of
// them registers metrics and flags in globals that the others use as well.
func commandOf(program string) *cobra.Command {
	switch program {
	case "kube-apiserver":
		return apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		return controllermanager.NewControllerManagerCommand()
	case "kube-scheduler":
		return scheduler.NewSchedulerCommand()
	case "kube-proxy":
		return proxy.NewProxyCommand()
	case "kubelet":
		return kubelet.NewKubeletCommand(context.Background())
	case "kubectl":
		return kubectl.NewDefaultKubectlCommand()
	default:
		return nil
	}
}
