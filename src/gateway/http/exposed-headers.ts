/** Headers of answers that programs in web pages may read, where `server.cors_origins` lets them call at all. */
export const EXPOSED_HEADERS: readonly string[] = [
  'x-request-id',
  'x-bursar-attempts',
  'x-bursar-cost',
  'x-bursar-decision',
  'x-bursar-error',
  'x-bursar-fell-back-from',
  'x-bursar-model',
  'x-bursar-warning',
  'x-bursar-budget-regime',
  ...['usd', 'tokens', 'calls', 'joules', 'seconds'].map((unit) => `x-bursar-budget-remaining-${unit}`),
  ...['requests', 'tokens'].flatMap((what) => ['limit', 'remaining', 'reset'].map((which) => `x-ratelimit-${which}-${what}`)),
  'x-should-retry',
  'retry-after',
]
