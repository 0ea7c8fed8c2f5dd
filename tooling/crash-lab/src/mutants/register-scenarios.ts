/**
 * Scenarios of the smallest client of the log, in groups that mutants share: each begins with what is quickest.
 */
export const calm: readonly string[] = ['registers/calm', 'registers/held flushes'];
export const held: readonly string[] = ['registers/held flushes', 'registers/concurrent'];
export const concurrent: readonly string[] = ['registers/concurrent', 'registers/flush first'];
export const faulty: readonly string[] = ['registers/faulty tiny', 'registers/faulty'];
export const tiny: readonly string[] = ['registers/tiny', 'registers/full'];
