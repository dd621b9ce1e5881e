/**
 * The walls of a cluster: one process that owns a network, mount, process-id, IPC and UTS namespace.
 *
 * Everything of a cluster runs inside them, so its firewall rules, bridge, mounts and containers
 * cannot touch the machine or another cluster, and the kernel removes all of it when the first
 * process dies. Outside there is only one end of a veth pair with its routes, and the cgroup.
 * Kernel settings outside the network namespace are read-only within: they are the machine's.
 */

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, type Instance, stateFolder } from "./instance.ts";
import { attempt, eventually, identityOf, LocalError, type ProcessIdentity, run } from "./process.ts";

/**
 * Makes the namespaces. `record` is called before the first process may live on, so that there is
 * never a cluster that nobody knows of, whatever dies when.
 */
export async function openNamespaces(
  instance: Instance,
  initProgram: string,
  record: (init: ProcessIdentity) => void,
): Promise<number> {
  const starter = spawn(initProgram, ["spawn", instance.nodeName], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => {
    starter.on("error", () => resolve());
    starter.on("close", () => resolve());
  });
  const printed = await new Promise<string>((resolve) => {
    starter.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    void ended.then(() => resolve(""));
  });
  const pid = Number.parseInt(printed, 10);
  const init = Number.isNaN(pid) ? undefined : identityOf(pid);
  if (init === undefined) {
    throw new LocalError("this machine lets us make no namespaces; root with CAP_SYS_ADMIN is needed", 2);
  }
  record(init);
  starter.stdin.end("\n");
  await ended;
  await furnish(pid, instance);
  return pid;
}

/** The arguments of `nsenter` that run a program inside. */
export function inside(init: number, program: string, args: readonly string[]): readonly string[] {
  return [`--target=${init}`, "--mount", "--net", "--pid", "--ipc", "--uts", program, ...args];
}

export function runInside(init: number, program: string, args: readonly string[]): Promise<string> {
  return run("nsenter", inside(init, program, args));
}

/** Mounts: own /sys, /run and /tmp, standard places of the kubelet kept in the instance's folder. */
async function furnish(init: number, instance: Instance): Promise<void> {
  const within = (program: string, ...args: string[]) => runInside(init, program, args);
  const own = (name: string) => {
    const path = join(instance.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const cgroups = own("mnt");
  await within("mount", "--rbind", "/sys/fs/cgroup", cgroups);
  await within("mount", "-t", "sysfs", "sysfs", "/sys");
  await within("mount", "--rbind", cgroups, "/sys/fs/cgroup");
  // While both copies share their events, unmounting one would empty the other.
  await within("mount", "--make-rprivate", cgroups);
  await within("umount", "--recursive", cgroups);
  await within("mount", "--bind", "/proc/sys", "/proc/sys");
  await within("mount", "-o", "remount,bind,ro", "/proc/sys");
  await within("mount", "-t", "proc", "proc", cgroups);
  await within("mount", "--bind", join(cgroups, "sys/net"), "/proc/sys/net");
  await within("umount", cgroups);
  for (const [setting, value] of kubeletWants) {
    const file = join(own("settings"), setting.replaceAll("/", "-"));
    writeFileSync(file, `${value}\n`);
    await within("mount", "--bind", file, `/proc/sys/${setting}`);
  }
  await within("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run");
  for (const [name, target] of ownFolders) {
    const source = own(name);
    for (const needed of [stateFolder(), cacheFolder()].filter((path) => path.startsWith(`${target}/`))) {
      // A cache or state folder below the place that is about to be covered must stay reachable.
      const window = join(source, needed.slice(target.length));
      mkdirSync(window, { recursive: true });
      await within("mount", "--bind", needed, window);
    }
    await within("mount", "--rbind", source, target);
  }
}

/**
 * The kubelet sets these for the whole machine, or does not start. It sees them as it wants them;
 * the machine keeps its own.
 */
const kubeletWants = [
  ["vm/overcommit_memory", 1],
  ["vm/panic_on_oom", 0],
  ["kernel/panic", 10],
  ["kernel/panic_on_oops", 1],
  ["kernel/keys/root_maxkeys", 1_000_000],
  ["kernel/keys/root_maxbytes", 25_000_000],
] as const;

/**
 * The controller-manager makes its host-path volumes under /tmp, the kubelet and containerd have
 * names below /var/lib and /var/log built in; and nobody may set any of that.
 */
const ownFolders = [
  ["volumes", "/tmp"],
  ["lib", "/var/lib"],
  ["log", "/var/log"],
] as const;

/** A veth pair to the machine, with routes to pods and Services, and the bridge of the pods. */
export async function connect(init: number, instance: Instance): Promise<void> {
  const { hostInterface, hostAddress, nodeAddress } = instance;
  const ip = (...args: string[]) => run("ip", args);
  const ipWithin = (...args: string[]) => runInside(init, "ip", args);
  await ip("link", "add", hostInterface, "type", "veth", "peer", "name", "uplink", "netns", `${init}`);
  await ip("link", "set", hostInterface, "alias", instance.folder);
  await ip("address", "add", `${hostAddress}/30`, "dev", hostInterface);
  await ip("link", "set", hostInterface, "up");
  await ipWithin("link", "set", "lo", "up");
  await ipWithin("address", "add", `${nodeAddress}/30`, "dev", "uplink");
  await ipWithin("link", "set", "uplink", "up");
  await ipWithin("route", "add", "default", "via", hostAddress);
  await ipWithin("link", "add", "pods", "type", "bridge");
  await ipWithin("address", "add", `${instance.bridgeAddress}/24`, "dev", "pods");
  await ipWithin("link", "set", "pods", "up");
  await ip("route", "add", instance.podSubnet, "via", nodeAddress);
  await ip("route", "add", instance.serviceSubnet, "via", nodeAddress);
  await runInside(init, "sysctl", ["--quiet", "--write", "net.ipv4.ip_forward=1"]);
}

/**
 * Our end of the veth pair goes with the namespaces, and its routes with it. This waits for that,
 * and removes the end by hand if something still holds the other one; but only one that bears our
 * mark, because another instance may have taken the name since.
 */
export async function disconnect(instance: Instance): Promise<void> {
  const isGone = async () => {
    const shown = await attempt("ip", ["-json", "link", "show", "dev", instance.hostInterface]);
    return shown.code !== 0 || !shown.stdout.includes(JSON.stringify(instance.folder));
  };
  if (await eventually(isGone, 3000, 50)) return;
  await run("ip", ["link", "delete", instance.hostInterface]);
}
