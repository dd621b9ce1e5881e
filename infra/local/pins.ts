/**
 * The versions of everything the local cluster is made of, in one place.
 *
 * A cache entry's name carries the version and a hash of its inputs, so a new pin makes a new
 * entry beside the old one. Never read a version from the network: two machines would differ.
 */

export const pins = {
  kubernetes: "1.36.3",
  etcd: "3.6.8",
  coredns: "1.15.0",
  versitygw: "1.8.0",
  mysqlSuite: "sid",
  mysqlTags: ["9.7", "9"],
} as const;

/** The oldest Go that can build Kubernetes; an older one fetches it by itself as a Go module. */
export const goVersion = "1.26.0";

export const images = {
  mysql: pins.mysqlTags.map((tag) => `docker.io/library/mysql:${tag}`),
  pause: ["registry.k8s.io/pause:ordinal"],
} as const;
