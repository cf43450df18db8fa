/** The versions that were proved to work together. A new one is tried first, then written here. */
export const pins = {
  /** The last release whose image needs no account; its repository is archived. */
  localstack: "4.14.0",
  image: "localstack/localstack:4.14.0",
  /** 4.14 does not start on 3.12, and its frozen packages have no wheels for 3.14. */
  python: "3.13",
  /** DynamoDB Local 2.x is compiled for it. */
  javaMajorMin: 17,
  dynamodbLocal: "2.6.1",
} as const;

export const defaultPort = 4566;
