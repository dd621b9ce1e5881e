/**
 * A real Kubernetes cluster on this machine, by name: up, down, status.
 *
 * `up` may be interrupted at any point and called again; `down` leaves nothing. Whatever has been
 * made is recorded first, and what has no record of ours is never touched.
 */

import { existsSync, mkdirSync, rmSync } from "node:fs";
import { buildImage, importOrdinal, localName } from "../images/ordinal/image.ts";
import { buildRuntime, type Runtime } from "../images/ordinal/runtime.ts";
import { buildInit, buildPrograms, type Programs } from "./build.ts";
import { makeCgroup, removeCgroup } from "./cgroups.ts";
import { type Component, livingComponent, resumeComponents, startComponent } from "./components.ts";
import { apiServer, controllerManager, etcd, scheduler } from "./control-plane.ts";
import { coreDns, dnsManifest } from "./dns.ts";
import { fillImageStore } from "./image-store.ts";
import {
  allNames,
  checkName,
  claimSlot,
  folderOf,
  type Instance,
  type InstanceRecord,
  instanceLock,
  instanceOf,
  readRecord,
  writeRecord,
} from "./instance.ts";
import { withLock } from "./lock.ts";
import { type BuiltImages, buildImages } from "./mysql-image.ts";
import { connect, disconnect, openNamespaces } from "./namespaces.ts";
import { containerd, kubelet, kubeProxy } from "./node.ts";
import { ensurePackages, findProgram } from "./packages.ts";
import { pins } from "./pins.ts";
import { kubeconfigOf, makePki } from "./pki.ts";
import { isAlive, killAndWait, LocalError, run } from "./process.ts";
import { type Progress, reportStages, silent } from "./progress.ts";
import { s3Server } from "./s3.ts";
import { type ClusterStatus, contextStatus, localStatus, writeFacts } from "./status.ts";
import { storageManifest, volumeOpener } from "./storage.ts";

export { LocalError } from "./process.ts";
export type { ClusterStatus } from "./status.ts";
export { allNames };

export type UpOptions = {
  readonly name?: string;
  /** Use this context of the user's own kubeconfig; nothing is built, started or changed. */
  readonly context?: string;
  readonly quiet?: boolean;
};

export const defaultName = "ordinal";

export async function up(options: UpOptions = {}): Promise<ClusterStatus> {
  if (options.context !== undefined) return await reachable(options.context);
  const name = options.name ?? defaultName;
  checkName(name);
  const progress = options.quiet === true ? silent : reportStages;
  await progress("system packages", ensurePackages);
  return await withLock(instanceLock(name), async () => {
    const before = await localStatus(name);
    const record = readRecord(name);
    const runtime = await progress("Node of the image", buildRuntime);
    if (before.running) {
      // The tree may have changed since; whatever starts from now on runs what it is now.
      if (record !== undefined) await loadOrdinal(initOf(record), instanceOf(record), runtime, progress);
      return before;
    }
    const isWhole = record?.readyAt !== undefined && record.init !== undefined && isAlive(record.init);
    // A whole instance with a dead part keeps its state; only that part is started again.
    if (!isWhole) await remove(name);
    const init = await buildInit(progress);
    // Building waits for the processors and the packages for the network, so they share the time.
    const [programs, images] = await Promise.all([
      buildPrograms(progress, init),
      buildImages(progress, init),
    ]);
    await raise(isWhole ? record : await claimSlot(name), { programs, images, runtime }, progress);
    const after = await localStatus(name);
    if (!after.running) throw new LocalError(`${name} came up and broke; its logs: ${after.folder}/logs`);
    return after;
  });
}

/** Removes the cluster and everything of it; removing what is not there is fine. */
export async function down(name: string = defaultName): Promise<void> {
  checkName(name);
  if (!existsSync(folderOf(name))) return;
  await withLock(instanceLock(name), () => remove(name));
}

export function status(name: string = defaultName, context?: string): Promise<ClusterStatus> {
  return context === undefined ? localStatus(name) : contextStatus(context);
}

async function reachable(context: string): Promise<ClusterStatus> {
  const found = await contextStatus(context);
  if (!found.running) throw new LocalError(`the cluster of context ${context} does not answer`, 2);
  return found;
}

/** What an instance is raised from. */
type Built = { readonly programs: Programs; readonly images: BuiltImages; readonly runtime: Runtime };

async function raise(claimed: InstanceRecord, built: Built, progress: Progress): Promise<void> {
  const { programs, images } = built;
  const instance = instanceOf(claimed);
  let record = claimed;
  await progress("keys and certificates", () => makePki(instance, programs.kube));
  writeFacts(instance.folder, { kubectl: programs.kubectl, versions: await versionsOf(images) });
  if (record.init === undefined) {
    await progress("namespaces", async () => {
      makeCgroup(instance.cgroup);
      await openNamespaces(instance, programs.init, (init) => {
        record = { ...record, init };
        writeRecord(record);
      });
    });
    const init = initOf(record);
    await progress("network", () => connect(init, instance));
  }
  await startParts(initOf(record), instance, built, progress);
  writeRecord({ ...record, readyAt: new Date().toISOString() });
}

async function startParts(
  init: number,
  instance: Instance,
  { programs, images, runtime }: Built,
  progress: Progress,
): Promise<void> {
  const { kube } = programs;
  const start = async (part: Component) => {
    if (livingComponent(instance.folder, part.name) !== undefined) return;
    await progress(part.name, () => startComponent(init, instance, part));
  };
  mkdirSync(`${instance.folder}/node`, { recursive: true });
  const ctr = program("ctr");
  const state = async () => {
    await start(etcd(instance, kube, init));
    await start(apiServer(instance, kube));
  };
  const node = async () => {
    const part = containerd(instance, program("containerd"), ctr, init);
    const containerdVersion = await versionOfContainerd();
    const list = [...images.list, runtime.image];
    const wish = { init, instance, containerd: part, containerdVersion, ctr, images: list };
    await progress("images", () => fillImageStore(wish));
    await start(part);
    await loadOrdinal(init, instance, runtime, progress);
  };
  const running = node();
  await Promise.all([
    start(s3Server(instance, programs.versitygw)),
    start(volumeOpener(instance, programs.init)),
    running,
    state().then(async () => {
      const controllers = [
        progress("access and storage class", () => apply(instance, programs)),
        start(controllerManager(instance, kube)),
        start(scheduler(instance, kube)),
        start(kubeProxy(instance, kube)),
        start(coreDns(instance, programs.coredns)),
      ];
      await running;
      await Promise.all([...controllers, start(kubelet(instance, kube))]);
    }),
  ]);
}

/** Our own image is no part of the shared store: it changes with every change of the tree. */
async function loadOrdinal(
  init: number,
  instance: Instance,
  runtime: Runtime,
  progress: Progress,
): Promise<void> {
  await progress("image of Ordinal", async () => {
    const folder = `${instance.folder}/node`;
    const { image } = await buildImage({ name: localName, runtime, folder });
    await importOrdinal(init, program("ctr"), { image, runtime });
  });
}

async function apply(instance: Instance, programs: Programs): Promise<void> {
  const args = ["--kubeconfig", kubeconfigOf(instance, "admin"), "apply", "--filename=-"];
  await run(programs.kubectl, args, { input: `${dnsManifest}---\n${storageManifest}` });
}

/** Needs the instance's lock. */
async function remove(name: string): Promise<void> {
  const record = readRecord(name);
  if (record !== undefined) {
    const instance = instanceOf(record);
    resumeComponents(instance.folder);
    if (record.init !== undefined) await killAndWait(record.init, 30_000);
    await disconnect(instance);
    await removeCgroup(instance.cgroup);
  }
  rmSync(folderOf(name), { recursive: true, force: true, maxRetries: 5 });
}

function initOf(record: InstanceRecord): number {
  if (record.init === undefined) throw new LocalError(`${record.name} has no first process`);
  return record.init.pid;
}

function program(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new LocalError(`${name} is not on this machine`, 2);
  return path;
}

async function versionsOf(images: BuiltImages): Promise<Record<string, string>> {
  return {
    kubernetes: pins.kubernetes,
    etcd: pins.etcd,
    containerd: await versionOfContainerd(),
    coredns: pins.coredns,
    versitygw: pins.versitygw,
    mysql: images.mysqlVersion,
    node: process.versions.node,
  };
}

async function versionOfContainerd(): Promise<string> {
  const said = await run(program("containerd"), ["--version"]);
  return said.split(" ")[2] ?? "unknown";
}
