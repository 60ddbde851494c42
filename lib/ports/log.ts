/** Structured logging: a constant message, data beside it; everything passes the redactor. */
export interface Log {
  info(message: string, data?: object): void;
  warn(message: string, data?: object): void;
  error(message: string, data?: object): void;
}
