/** Numbers of everything that records of one transaction name. */
export interface Resolved {
  word(text: string): number
  series(name: string): number
  facet(kind: 'run' | 'session', key: string, value: string): number
  tags(call: { readonly at: number; readonly tags: Readonly<Record<string, string>> | undefined }): readonly number[]
  /** Once the transaction is committed. */
  remember(): void
}
