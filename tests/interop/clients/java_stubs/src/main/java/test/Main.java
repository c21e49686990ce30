package test;

import argus.v1.SessionServiceGrpc;
import argus.v1.SessionServiceOuterClass.CreateSessionRequest;
import argus.v1.SessionServiceOuterClass.ListSessionsRequest;
import argus.v1.SessionServiceOuterClass.TerminateSessionRequest;
import argus.v1.TokenServiceGrpc;
import argus.v1.TokenServiceOuterClass.IssueClientTokenRequest;
import argus.v1.TokenServiceOuterClass.RefreshTokenRequest;
import argus.v1.TokenServiceOuterClass.VerifyAccessTokenRequest;
import com.google.protobuf.Any;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.ErrorInfo;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.AbstractBlockingStub;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/** The main job by stubs that protoc has made of proto/, over TLS. */
public final class Main {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private Main() {}

  /** Reads where and as whom, and tells what became of it. */
  public static void main(String[] arguments) throws Exception {
    Struct.Builder read = Struct.newBuilder();
    JsonFormat.parser().merge(new String(System.in.readAllBytes(), StandardCharsets.UTF_8), read);
    Struct job = read.build();
    var trusted = TlsChannelCredentials.newBuilder().trustManager(new File(text(job, "Authority"))).build();
    ManagedChannel channel = Grpc.newChannelBuilder(text(job, "Address"), trusted).build();
    try {
      System.out.println(JsonFormat.printer().omittingInsignificantWhitespace().print(play(job, channel)));
    } finally {
      channel.shutdownNow();
    }
  }

  private static Struct play(Struct job, ManagedChannel channel) throws Exception {
    var issued =
        limited(TokenServiceGrpc.newBlockingStub(channel))
            .issueClientToken(
                IssueClientTokenRequest.newBuilder()
                    .setParent(text(job, "Parent"))
                    .setClientId(text(job, "ClientID"))
                    .setClientSecret(text(job, "ClientSecret"))
                    .build());
    Metadata own = new Metadata();
    own.put(AUTHORIZATION, "Bearer " + issued.getTokens().getAccessToken());
    var bearer = MetadataUtils.newAttachHeadersInterceptor(own);
    var tokens = limited(TokenServiceGrpc.newBlockingStub(channel)).withInterceptors(bearer);
    var sessions = limited(SessionServiceGrpc.newBlockingStub(channel)).withInterceptors(bearer);

    var created = sessions.createSession(CreateSessionRequest.newBuilder().setParent(text(job, "User")).build());
    var verified = tokens.verifyAccessToken(verifying(created.getTokens().getAccessToken()));
    var refreshed =
        tokens.refreshToken(
            RefreshTokenRequest.newBuilder().setRefreshToken(created.getTokens().getRefreshToken()).build());
    var again = tokens.verifyAccessToken(verifying(refreshed.getTokens().getAccessToken()));
    var listed = sessions.listSessions(ListSessionsRequest.newBuilder().setParent(text(job, "User")).build());
    sessions.terminateSession(TerminateSessionRequest.newBuilder().setName(created.getSession().getName()).build());
    String ended = "not refused";
    try {
      tokens.verifyAccessToken(verifying(refreshed.getTokens().getAccessToken()));
    } catch (StatusRuntimeException refused) {
      ended = reason(refused);
    }
    var watching = limited(HealthGrpc.newBlockingStub(channel)).watch(HealthCheckRequest.getDefaultInstance());
    return Struct.newBuilder()
        .putFields("session", value(created.getSession().getName()))
        .putFields("verified", value(verified.getSession()))
        .putFields("again", value(again.getSession()))
        .putFields("listed", Value.newBuilder().setNumberValue(listed.getSessionsCount()).build())
        .putFields("ended", value(ended))
        .putFields("health", value(watching.next().getStatus().name()))
        .build();
  }

  private static <S extends AbstractBlockingStub<S>> S limited(S stub) {
    return stub.withDeadlineAfter(60, TimeUnit.SECONDS);
  }

  private static VerifyAccessTokenRequest verifying(String token) {
    return VerifyAccessTokenRequest.newBuilder().setAccessToken(token).build();
  }

  /** Code and reason of a refusal. */
  private static String reason(StatusRuntimeException refused) throws Exception {
    String code = refused.getStatus().getCode().name();
    for (Any detail : StatusProto.fromThrowable(refused).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        return code + " " + detail.unpack(ErrorInfo.class).getReason();
      }
    }
    return code;
  }

  private static String text(Struct job, String name) {
    return job.getFieldsOrThrow(name).getStringValue();
  }

  private static Value value(String text) {
    return Value.newBuilder().setStringValue(text).build();
  }
}
