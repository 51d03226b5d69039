// Starts the thread from its TypeScript source: a thread doesn't take on the loader that the process was started with.
import { register } from 'tsx/esm/api'

register()
await import('./check-thread.ts')
