/** Structured logging: a constant message with data. Everything passes the redactor. */
export interface Log {
  info(message: string, data?: object): void;
  warn(message: string, data?: object): void;
  error(message: string, data?: object): void;
}
