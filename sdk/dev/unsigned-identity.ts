/** Who calls an API Gateway that checks no signatures: nobody but an address. */
import type { APIGatewayProxyEvent } from "aws-lambda";

type Identity = APIGatewayProxyEvent["requestContext"]["identity"];

export function unsignedIdentity(sourceIp: string, userAgent: string | null = null): Identity {
  return {
    accessKey: null,
    accountId: null,
    apiKey: null,
    apiKeyId: null,
    caller: null,
    clientCert: null,
    cognitoAuthenticationProvider: null,
    cognitoAuthenticationType: null,
    cognitoIdentityId: null,
    cognitoIdentityPoolId: null,
    principalOrgId: null,
    sourceIp,
    user: null,
    userAgent,
    userArn: null,
  };
}
