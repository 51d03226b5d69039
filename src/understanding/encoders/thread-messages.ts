/** A model of vectors, as it runs in a thread of its own. */
export interface ThreadModel {
  /** One vector a text, in their order. */
  encode(texts: readonly string[]): Promise<readonly ArrayLike<number>[]>
}

/** What a module must export for the thread to open its model with. Settings must be cloneable. */
export interface ThreadModelModule {
  /** Throws when it can't work; the message is told to the operator. */
  openModel(settings: unknown): Promise<ThreadModel>
}

export interface ThreadSettings {
  /** Address of the module. */
  readonly module: string
  readonly settings: unknown
  readonly dimensions: number
}

export interface ToThread {
  readonly id: number
  readonly texts: readonly string[]
}

export type FromThread =
  /** All vectors, one behind the other. */
  | { readonly kind: 'vectors'; readonly id: number; readonly values: Float32Array }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  /** The model could not be opened. */
  | { readonly kind: 'refused'; readonly id: number; readonly message: string }
