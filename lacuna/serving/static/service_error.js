/**
 * What the service refused, or why it could not be asked. `code` is for programs, the message for people; `passing`
 * says that the same request may succeed later.
 */
export class ServiceError extends Error {
  constructor(code, message, { passing = false } = {}) {
    super(message);
    this.code = code;
    this.passing = passing;
  }
}
