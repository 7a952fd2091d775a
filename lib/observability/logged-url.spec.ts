import { loggedRequest, loggedUrl } from './logged-url';

describe('loggedUrl', () => {
  it.each([
    ['/orders', '/orders'],
    ['/orders?page=2&sort=name', '/orders?page=2&sort=name'],
    ['/orders?api_key=sk_1', '/orders?api_key=[Redacted]'],
    ['/orders?page=2&apiKey=sk_1&x=y', '/orders?page=2&apiKey=[Redacted]&x=y'],
    ['/?token=a&access_token=b&id_token=c', '/?token=[Redacted]&access_token=[Redacted]&id_token=[Redacted]'],
    ['/?X-Amz-Signature=a=b&PASSWORD=c', '/?X-Amz-Signature=[Redacted]&PASSWORD=[Redacted]'],
    ['/?to%6ben=a&tokens[]=b&keys[0]=c', '/?to%6ben=[Redacted]&tokens[]=[Redacted]&keys[0]=[Redacted]'],
    ['/cb?code=a&state=b', '/cb?code=[Redacted]&state=b'],
    ['https://a.test/?next=/?token=a', 'https://a.test/?next=/?token=[Redacted]'],
    ['/?token', '/?token'],
    ['/?%E0%A4%A=1', '/?%E0%A4%A=1'],
  ])('%s', (url, logged) => {
    expect(loggedUrl(url)).toBe(logged);
  });

  it('is what is logged of a request, with the page before, and its query no second time', () => {
    const request = {
      method: 'GET',
      url: '/?token=a',
      query: { token: 'a' },
      headers: { referer: 'https://a.test/?token=a', accept: '*/*' },
    };
    expect(loggedRequest(request)).toEqual({
      method: 'GET',
      url: '/?token=[Redacted]',
      query: undefined,
      headers: { referer: 'https://a.test/?token=[Redacted]', accept: '*/*' },
    });
    expect(loggedRequest({})).toEqual({ query: undefined });
  });
});
