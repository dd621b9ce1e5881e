/** Where a Job's program finds what it needs; the variables are for tests, which have no container around it. */

/** Holds the order as JSON. */
export const ORDER_VARIABLE = "ORDINAL_JOB";
/** The file for the last words, if it is another one than Kubernetes' own. */
export const RESULT_VARIABLE = "ORDINAL_RESULT";

export const FOLDERS = {
  store: { path: "/ordinal/store", variable: "ORDINAL_STORE" },
  account: { path: "/ordinal/account", variable: "ORDINAL_ACCOUNT" },
  scratch: { path: "/ordinal/scratch", variable: "ORDINAL_SCRATCH" },
  volume: { path: "/ordinal/volume", variable: "ORDINAL_VOLUME" },
} as const;
