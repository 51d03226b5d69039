/**
 * What can be told of a request before anything is spent on it. Computed once a request (at most 1 ms of CPU without an encoder), cached by
 * text, and shared by everything that predicts: predictors, strategies' difficulty, caches, retrieval gates.
 */
export interface Features {
  /** The text that the request asks about: what `lexical` and `dense` represent. Content: it never goes to logs, metrics or files. */
  readonly text: string
  readonly lexical: SparseVector
  /** Unit length; absent where no encoder is configured, or it failed or was too slow for this request. */
  readonly dense?: Float32Array | undefined
  /** Absent where nothing is sure enough. */
  readonly category?: Category | undefined
  readonly difficulty: Difficulty
  readonly traits: Traits
}

/** Weights by index, indices ascending, unit length (or no entries at all, for a text without any n-gram). */
export interface SparseVector {
  readonly indices: Uint32Array
  readonly weights: Float32Array
}

export interface Category {
  readonly name: string
  /** Of this category among all, in [0, 1]. */
  readonly probability: number
}

export interface Difficulty {
  /** 0 (anything answers it) to 1 (nothing does). */
  readonly value: number
  readonly level: 1 | 2 | 3 | 4 | 5
  /** `lexical`: guessed from the text. `learned`: one less what a small arm is predicted to give. `told`: by the caller or a model. */
  readonly source: 'lexical' | 'learned' | 'told'
}

/** Plain facts of a request. */
export interface Traits {
  /** Likely input tokens, of the whole request; never looked at closely enough to bill by. */
  readonly inputTokens: number
  /** Characters of `text`. */
  readonly characters: number
  /** User messages so far, this one included. */
  readonly turns: number
  /** Whether functions are offered. */
  readonly tools: boolean
  /** Whether the last message is a tool's result: the model is in the middle of something. */
  readonly toolLoop: boolean
  readonly images: boolean
  /** Whether JSON (with or without a schema) is asked for. */
  readonly structured: boolean
  readonly code: boolean
  /** Whether the text seems to hold names of persons' things: mail addresses, telephone or card numbers, "my account" … */
  readonly personalData: boolean
  /** Whether the answer seems to depend on the day it is asked ("today", "latest", "price now"). */
  readonly fresh: boolean
  /** Whether the text holds dates. */
  readonly dates: boolean
  /** Share of characters that are digits or operators. */
  readonly numeric: number
  /** Words that announce several steps ("prove", "step by step", "first … then"), counted. */
  readonly stepCues: number
  /** Choices of a multiple-choice question, 0 where it is none. */
  readonly choices: number
}

/** Turns texts into dense vectors. Each implementation has a bound on its queue and on its waiting. */
export interface Encoder {
  readonly id: string
  readonly dimensions: number
  /** Unit vectors, in the order of the texts. Rejects when the signal is aborted, and with a `BursarError` when the encoder can't work. */
  encode(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]>
  close(): Promise<void>
}
