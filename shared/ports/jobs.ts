/** What a Job runs. Which image and which command that is knows the host, and nobody who decides. */
import type { Task } from "../model/job-order.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { Manifest } from "./kube.ts";

/** All of a Job beside its metadata, for one task of the cluster whose StatefulSet it is. */
export type JobBodies = (task: Task, set: StatefulSet) => Manifest["body"];
