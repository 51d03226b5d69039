/** What is known of the form of the answers; each part is a hint, not a rule. */
export interface AnswerHint {
  /** The form that is looked for first where nothing marks the answer. */
  readonly kind?: 'number' | 'choice' | 'date' | 'json' | 'text' | undefined
  /** Choices of a multiple-choice question; above 0 a letter in brackets counts as an answer. */
  readonly choices?: number | undefined
  /** Reads 03/04/2021 as the third of April; as the fourth of March when absent. */
  readonly dayFirst?: boolean | undefined
}
