// The one cluster of the simulated world.

import type { ObjectRef } from "../../shared/model/kube.ts";

export const REF: ObjectRef = { namespace: "shop", name: "mysql" };
