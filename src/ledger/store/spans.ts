/** Lengths of the spans that sums are kept for, in seconds. All time has the span 0. */
export const hourSeconds = 3600
export const daySeconds = 86_400
