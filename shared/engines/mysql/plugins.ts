/** The plugins that Ordinal needs: the file of each, and a variable that it brings, by which it is known to be there. */
export const PLUGINS: Readonly<Record<string, { readonly file: string; readonly variable: string }>> = {
  rpl_semi_sync_source: { file: "semisync_source.so", variable: "rpl_semi_sync_source_enabled" },
  rpl_semi_sync_replica: { file: "semisync_replica.so", variable: "rpl_semi_sync_replica_enabled" },
  clone: { file: "mysql_clone.so", variable: "clone_valid_donor_list" },
};
