/** The key, kept in this tab only: gone when it is closed. A browser that keeps nothing (a private mode) asks again at each visit. */
const name = 'bursar.key'
let inMemory: string | undefined

export function keptKey(): string | undefined {
  try {
    return sessionStorage.getItem(name) ?? inMemory
  } catch {
    return inMemory
  }
}

export function keepKey(key: string): void {
  inMemory = key
  try {
    sessionStorage.setItem(name, key)
  } catch {
    // Kept in memory all the same.
  }
}

export function forgetKey(): void {
  inMemory = undefined
  try {
    sessionStorage.removeItem(name)
  } catch {
    // Nothing was kept there.
  }
}
