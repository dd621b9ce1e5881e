/** The preStop hook of infra/examples/mysql-ha.yaml, with which a test compares it, for whoever has no copy of it at hand. */

export const PRE_STOP = `# Into the container of the database. Its pod needs terminationGracePeriodSeconds: 60,
# and the container the password of root as MYSQL_ROOT_PASSWORD.
lifecycle:
  preStop:
    exec:
      # A server that is stopped answers OK to commits that nobody has acknowledged. So it waits until it is
      # no longer the primary, and else puts applications out first: they get an error then, and no false OK.
      command:
        - bash
        - -c
        - |
          export MYSQL_PWD="$MYSQL_ROOT_PASSWORD"
          for _ in $(seq 150); do
            closed=$(mysql --user=root --skip-column-names --execute='SELECT @@GLOBAL.super_read_only') || exit 0
            [ "$closed" = 1 ] && exit 0
            sleep 0.2
          done
          mysql --user=root --execute='SET GLOBAL offline_mode = ON'
`;
