import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

/**
 * A client of HTTP/1.1 that keeps its connection: java Client.java ADDRESS PORT METHOD BYTES FRAMING EXPECTS
 *
 * Asks for what is allowed, sends a request that is denied, asks again, and prints the three statuses.
 */
class Client {
  public static void main(String[] args) throws Exception {
    String base = "http://" + args[0] + ":" + args[1];
    byte[] content = new byte[Integer.parseInt(args[3])];
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    HttpRequest get = HttpRequest.newBuilder(URI.create(base + "/public/")).build();
    HttpRequest.Builder denied = HttpRequest.newBuilder(URI.create(base + "/private"));
    if (args[2].equals("GET")) denied.GET();
    else if (args[4].equals("chunked")) denied.POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(content)));
    else denied.POST(BodyPublishers.ofByteArray(content));
    if (args[5].equals("expect")) denied.expectContinue(true);
    StringBuilder statuses = new StringBuilder();
    for (HttpRequest request : new HttpRequest[] {get, denied.build(), get}) {
      int status = client.send(request, BodyHandlers.ofByteArray()).statusCode();
      statuses.append(statuses.length() == 0 ? "" : " ").append(status);
    }
    System.out.println(statuses);
    System.exit(0);
  }
}
