/**
 * One line on standard error for each stage of `up`, with its seconds.
 *
 * Standard output belongs to the answer, which programs read; nothing here may write to it.
 */

export type Progress = <T>(stage: string, work: () => Promise<T>) => Promise<T>;

export const reportStages: Progress = async (stage, work) => {
  const startedAt = performance.now();
  try {
    const outcome = await work();
    // What was there already, in the cache or from an earlier `up`, is no stage worth a line.
    if (performance.now() - startedAt > 50) {
      process.stderr.write(`${seconds(startedAt)}  ${stage}\n`);
    }
    return outcome;
  } catch (error) {
    process.stderr.write(`${seconds(startedAt)}  ${stage}: failed\n`);
    throw error;
  }
};

export const silent: Progress = (_stage, work) => work();

function seconds(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s`;
}
